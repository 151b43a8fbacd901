"""What others see. Reads what is published; reaches into nothing else."""

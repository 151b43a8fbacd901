"""What we are told: readers of market data and statements that believe a row only after it kept every rule."""

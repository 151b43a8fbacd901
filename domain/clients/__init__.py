"""Client knowledge: who a client is, who owns it, how risky it is, whose list it stands on, and what looks odd."""

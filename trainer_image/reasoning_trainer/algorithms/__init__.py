"""How the model learns: what TRL's trainers are given and taught."""

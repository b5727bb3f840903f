"""The RL experiment: arms that share what they can, and the table of their differences."""

"""Question forms beside the forward chain: counts, absences, sets, facts, and no answer."""

"""The rollout engine beside a batch loop, on two workloads."""

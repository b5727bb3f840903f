"""Reinforcement learning over live tool use: rollouts, rewards, advantages, losses, trust."""

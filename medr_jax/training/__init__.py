"""Steps, optimizers, checkpoints and the loop that SFT and RL share."""

"""Training: tokenised rows, the plan of steps, the LightningModule, checkpoints, and the stage `train`."""

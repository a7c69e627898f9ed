"""Training: encoded rows, the plan of steps, the LightningModule, and what lets a killed run go on."""

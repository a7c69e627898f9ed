"""A question of somebody's own, asked of a finished run: found, rendered as in training, answered, cited."""

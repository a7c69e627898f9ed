"""Makes the pocket model from this repository alone: vocabulary, practice worlds, network, training, export."""

"""A sheet in which people label replies, so that the figures of a judge can be corrected."""

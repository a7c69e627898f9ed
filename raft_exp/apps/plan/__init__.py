"""Plans a study: its memory, time, disk space, requests and cost, and the differences that its test can find."""

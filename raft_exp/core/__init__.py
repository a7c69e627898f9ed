"""What every room uses: errors, typed records, text and sampling, the passage collection on disk, files, processes."""

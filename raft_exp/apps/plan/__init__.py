"""What a planned study needs (memory, hours, disk, requests) and which differences its test will find."""

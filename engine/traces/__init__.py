"""What leaves the house about what goes on in it: log lines and metrics, without anybody's data or secrets."""

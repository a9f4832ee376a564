"""What administrators install: the wheel, the Debian package, the image, the filter for fail2ban."""

"""What the administrator wrote, checked as a whole."""

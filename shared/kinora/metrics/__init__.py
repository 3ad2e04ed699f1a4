"""What Kinora counts and measures, and where the numbers go."""

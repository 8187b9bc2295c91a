"""What poems are made of: forms, and how they are shown, without networks."""

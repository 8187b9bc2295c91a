"""What poems are made of: forms and layout, without networks."""

"""What people read: sentences, figures and the explorer."""

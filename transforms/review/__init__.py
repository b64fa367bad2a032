"""What decisions of people mean for works: which of them hold, and why others do not."""

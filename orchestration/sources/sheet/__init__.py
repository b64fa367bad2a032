"""Hand-kept sheets of lab publications."""

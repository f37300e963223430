"""What a person fills in: the forms for providers, models, pools, rules and options, and their steps."""

"""The actions of AI Router, one file for each family; `services.py` registers them."""

"""Customer service: an assistant that helps one customer of the shop with their orders and their account."""

"""What a stack costs, about: list prices of one region and what its template makes."""

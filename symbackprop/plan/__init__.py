"""Floor 4: decisions without text. What is fused, what is a matrix product, what is kept, where it lives."""

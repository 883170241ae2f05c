"""How the reader was taught: questions written by hand about texts of others, and the programs that use them."""

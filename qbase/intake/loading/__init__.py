"""Files in; rows in the lake and an account of every row out."""

"""Which records are one work: keys, titles, abstracts and similar titles, in this order, and what connects them."""

"""A view: what is looked at and how, as a value; its code, its figure, its report; the fields of a form."""

"""The pages for people: the viewer's and the operator's."""

"""User studies: make a study, ask raters, score their answers."""

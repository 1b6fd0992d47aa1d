"""What an approval is for, as its row and its binding keep it."""

#: It opens what a guard stands before.
STEP_UP = "step-up"
#: It is the second step of a login: a guard with the scope of that name.
LOGIN = "login"
#: It is a login by itself, begun by nobody yet; no guard looks for it.
PASSWORDLESS = "passwordless"
#: It shows that a new phone is its user's; no guard can ask for it.
ENROL = "enrol"
#: It tries an endpoint out and opens nothing; no guard can ask for it.
TEST = "test"

"""
mutmut, with two changes: it also mutates the bodies of functions that are decorated,
and tries a mutant with the tests of :data:`TESTS` only.
"""

import libcst as cst
from mutmut.mutation import file_mutation
from mutmut.state import state
from mutmut.workers.isolation import ForkServerRunner

#: The test files that are about each module.
TESTS = {
    "approvals": "guard lifecycle security/codes security/committed security/use",
    "asking": (
        "lifecycle log security/codes security/committed security/limits"
        " security/starting"
    ),
    "calls": "lifecycle log security/bound security/codes security/limits",
    "recording": "recording lifecycle log security/codes security/phone_changes",
    "client": "client security/client_wire",
    "endings": "lifecycle log security/endings security/reports",
    "limits": "dashboard security/limits security/reports",
    "status": "lifecycle",
    "stepup": (
        "guard preflight start security/bound security/phone_changes"
        " security/starting security/use"
    ),
}

#: What only wraps a function, so that it can go around mutmut's dispatch as well.
WRAPPERS = {"property", "sensitive_variables"}

skips = file_mutation.MutationVisitor._skip_node_and_children
arrange = file_mutation.function_trampoline_arrangement
submit = ForkServerRunner.submit


def path_of(name):
    folder, _, about = name.rpartition("/")
    return "/".join(filter(None, ["tests", folder, f"test_{about}.py"]))


def is_wrapper(decorator):
    called = decorator.decorator
    name = called.func if isinstance(called, cst.Call) else called
    return isinstance(name, cst.Name) and name.value in WRAPPERS


def skip_unless_wrapped(visitor, node):
    if isinstance(node, cst.FunctionDef) and node.decorators:
        return not all(map(is_wrapper, node.decorators))
    return skips(visitor, node)


def arrange_under_decorators(function, mutants, class_name):
    """Decorate only what dispatches, and have the original and the mutants bare."""
    bare = function.with_changes(decorators=[])
    declared, [dispatch, *copies], assigned, names = arrange(bare, mutants, class_name)
    decorators = [*function.decorators, *dispatch.decorators]
    dispatch = dispatch.with_changes(decorators=decorators)
    return declared, [dispatch, *copies], assigned, names


def submit_chosen(runner, mutant_name, tests, *limits):
    module = mutant_name.split(".")[1]
    files = tuple(path_of(name) + "::" for name in TESTS[module].split())
    chosen = [test for test in tests if test.startswith(files)]
    # The fast ones first, as mutmut does where it forks without a server.
    chosen.sort(key=lambda test: (state().duration_by_test[test], test))
    submit(runner, mutant_name, chosen, *limits)


file_mutation.MutationVisitor._skip_node_and_children = skip_unless_wrapped
file_mutation.function_trampoline_arrangement = arrange_under_decorators
ForkServerRunner.submit = submit_chosen

if __name__ == "__main__":
    from mutmut.__main__ import cli

    cli()

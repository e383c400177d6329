"""Learner copies are generated from masters, and the same text always gives the same file."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from asyncpatterns.lessons import build

SOLVED = """def cost(n, b, a):
    ### BEGIN SOLUTION
    rows = a * n
    return b + rows
    ### END SOLUTION

print(cost(1, 2, 3))"""
STUB = """def cost(n, b, a):
    ...  # your code here

print(cost(1, 2, 3))"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "solutions").mkdir()
    return tmp_path


def write(folder, name, *cells, **metadata):
    nbformat.write(new_notebook(cells=list(cells), metadata=metadata), folder / name)


def test_a_marked_solution_becomes_a_stub_of_the_same_indent():
    assert build.without_solutions(SOLVED) == STUB
    compile(build.without_solutions(SOLVED), "cell", "exec")


@pytest.mark.parametrize("gap, stub", [("bet = ...", "bet = ...  # your code here"),
                                       ("bet = ...     # in seconds", "bet = ...  # your code here: in seconds"),
                                       ("bet = [...]", "bet = [...]\n...  # your code here")])
def test_a_gap_above_a_marked_solution_is_the_stub(gap, stub):
    assert build.without_solutions(f"{gap}\n### BEGIN SOLUTION\nbet = 0\n### END SOLUTION\ncheck(bet)") == (
        f"{stub}\ncheck(bet)")


@pytest.mark.parametrize("source", ["### BEGIN SOLUTION\nx", "x\n### END SOLUTION",
                                    "### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION"])
def test_marks_that_do_not_match_are_refused_with_the_cell(source):
    with pytest.raises(ValueError, match="cell 7"):
        build.without_solutions(source, "cell 7")


def test_a_cell_tagged_solution_loses_its_whole_body():
    master = new_notebook(cells=[new_code_cell("secret = 1", metadata={"tags": ["solution"]}),
                                 new_markdown_cell("The secret.", metadata={"tags": ["solution"]})])
    copy = build.learner_copy(master)
    assert [cell.source for cell in copy.cells] == [build.PLACEHOLDER, build.WORDS]
    assert master.cells[0].source == "secret = 1"


@pytest.mark.parametrize("written", ["../GLOSSARY.md#actor", "../../GLOSSARY.md#actor"])
def test_a_link_out_of_the_notebooks_fits_the_folder_of_each_file(folder, written):
    write(folder / "solutions", "05_x.ipynb", new_markdown_cell(f"An [actor]({written}), [06](06_y.ipynb)."))
    build.main(["--folder", str(folder)])
    texts = [build.read(folder / name).cells[0].source for name in ("05_x.ipynb", "solutions/05_x.ipynb")]
    assert texts == [f"An [actor]({way}GLOSSARY.md#actor), [06](06_y.ipynb)." for way in ("../", "../../")]


def test_outputs_counts_and_widget_state_are_dropped_but_a_kept_output_stays():
    loud = new_code_cell(
        "1", execution_count=3, outputs=[new_output("execute_result", {"text/plain": "1"}, execution_count=3)]
    )
    kept = new_code_cell("2", metadata={"tags": ["keep_output"], "collapsed": True}, execution_count=4, outputs=[
        new_output("execute_result", {"text/plain": "2", build.WIDGETS: {"model_id": "x"}}, execution_count=4)])
    tidy = build.canonical(
        new_notebook(
            cells=[loud, kept],
            metadata={"widgets": {"state": {}}, "kernelspec": {"name": "julia", "display_name": "J"}},
        )
    )
    assert tidy.cells[0].outputs == [] and tidy.cells[0].execution_count is None
    assert tidy.cells[1].outputs[0].data == {"text/plain": "2"} and tidy.cells[1].outputs[0].execution_count is None
    assert tidy.cells[1].metadata == {"tags": ["keep_output"]}
    assert tidy.metadata.kernelspec.name == "python3" and "widgets" not in tidy.metadata


def test_making_canonical_twice_changes_nothing():
    once = build.canonical(
        new_notebook(cells=[new_code_cell("x = 1  \n\n"), new_code_cell("x = 1"), new_markdown_cell("# T")])
    )
    assert build.text_of(build.canonical(once)) == build.text_of(once)


def test_cell_ids_follow_from_the_text_and_stay_unique():
    cells = [new_code_cell("same"), new_code_cell("same"), new_code_cell("other")]
    first = [cell.id for cell in build.canonical(new_notebook(cells=cells)).cells]
    again = [cell.id for cell in build.canonical(new_notebook(cells=[new_code_cell("new"), *cells])).cells]
    assert len(set(first)) == 3 and again[1:] == first


def test_build_writes_master_and_copy_once_and_then_has_nothing_to_do(folder, capsys):
    write(folder, "solutions/08_batcher.ipynb", new_code_cell(SOLVED))
    assert build.main(["--folder", str(folder)]) == 0
    assert nbformat.read(folder / "08_batcher.ipynb", 4).cells[0].source == STUB
    assert capsys.readouterr().out.count("written") == 2
    assert build.main(["--folder", str(folder), "--check"]) == 0
    assert capsys.readouterr().out == ""


def test_check_tells_what_is_out_of_sync_and_changes_nothing(folder, capsys):
    write(folder, "solutions/08_batcher.ipynb", new_code_cell(SOLVED))
    build.main(["--folder", str(folder)])
    copy = folder / "08_batcher.ipynb"
    text = copy.read_text().replace("your code", "my code")
    copy.write_text(text)
    assert build.main(["--folder", str(folder), "--check"]) == 1
    assert copy.read_text() == text and "08_batcher.ipynb: out of sync" in capsys.readouterr().out


def test_a_copy_without_a_master_is_told(folder, capsys):
    write(folder, "09_lonely.ipynb")
    assert build.main(["--folder", str(folder), "--check"]) == 1
    assert "has no master" in capsys.readouterr().out


def test_chapters_can_be_named_by_number_or_name(folder, capsys):
    write(folder, "solutions/08_batcher.ipynb", new_code_cell("8"))
    write(folder, "solutions/10_race.ipynb", new_code_cell("10"))
    build.main(["10", "--folder", str(folder)])
    assert not (folder / "08_batcher.ipynb").exists() and (folder / "10_race.ipynb").exists()
    build.main(["notebooks/solutions/08_batcher.ipynb", "--folder", str(folder)])
    assert (folder / "08_batcher.ipynb").exists()


def test_a_bad_mark_ends_the_command_with_the_file_and_the_cell(folder):
    write(folder, "solutions/08_batcher.ipynb", new_code_cell("x"), new_code_cell("### END SOLUTION"))
    with pytest.raises(SystemExit, match=r"08_batcher.ipynb: cell 2: '### END SOLUTION'"):
        build.main(["--folder", str(folder)])

"""Trees of scikit-learn, written out as `compline forest score --scikit-learn` reads them, and the labelled sets they are fitted on."""

import gzip
import json
import subprocess

import numpy as np
from sklearn.ensemble import IsolationForest

ARRAYS = ("children_left", "children_right", "feature", "threshold", "missing_go_to_left", "n_node_samples")


def write_trees(forest, path):
    trees = [{name: getattr(tree.tree_, name).tolist() for name in ARRAYS} for tree in forest.estimators_]
    path.write_text(json.dumps({"sample_size": int(forest.max_samples_), "trees": trees}))


def sets(data):
    """The labelled sets, the name and the file of each."""
    for path in sorted(data.glob("*.csv.gz"), key=lambda path: path.name.lower()):
        yield path.name.removesuffix(".csv.gz"), path


def fitted(path, folder):
    """A set without its labels, a forest of scikit-learn on it, and the command that has us score the set with the same trees."""
    (folder / "table.csv").write_bytes(gzip.decompress(path.read_bytes()))
    header = (folder / "table.csv").open().readline().strip().split(",")
    table = np.loadtxt(folder / "table.csv", delimiter=",", skiprows=1)[:, :-1]
    forest = IsolationForest(n_estimators=100, max_samples=256, random_state=1).fit(table)
    write_trees(forest, folder / "trees.json")
    command = ["forest", "score", folder / "table.csv", "--drop", header[-1], "--scikit-learn"]
    return table, forest, command + [folder / "trees.json", "--out", folder / "scores.csv"]


def run(binary, command):
    subprocess.run([binary, *command], check=True, capture_output=True)

-- How far each anchor has the tree: as many rows as there are anchors.
SELECT name, size, at FROM audit_anchor ORDER BY name

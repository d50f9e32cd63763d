-- How far each anchor has the tree: as many rows as there are anchors.
SELECT name, size, at FROM compline.audit_anchor ORDER BY name

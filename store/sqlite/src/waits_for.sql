-- Index job_dependency_child.
SELECT parent FROM job_dependency WHERE child = ?1 ORDER BY parent

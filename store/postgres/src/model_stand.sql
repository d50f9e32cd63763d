-- Where models stand from now on, one row for each.
INSERT INTO compline.model_standing (model, standing, at, actor)
SELECT c.model, c.standing, coalesce($1::timestamptz, now()), $2
FROM unnest($3::text[], $4::text[]) AS c (model, standing)

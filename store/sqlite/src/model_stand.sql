-- Where models stand from now on: ?3 holds [model, standing] for each.
INSERT INTO model_standing (model, standing, at, actor)
SELECT value ->> 0, value ->> 1, ?1, ?2 FROM json_each(?3)

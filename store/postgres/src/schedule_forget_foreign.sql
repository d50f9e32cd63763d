-- Fire times of a schedule of this name ($1) that was another tenant's than this one ($2). Index: schedule_fire_pkey.
DELETE FROM compline.schedule_fire WHERE schedule = $1 AND tenant IS DISTINCT FROM $2

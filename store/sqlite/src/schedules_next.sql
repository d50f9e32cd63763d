-- When the next schedule is due. The first entry of index schedule_due after now.
SELECT min(next_fire) FROM schedule WHERE next_fire > ?1

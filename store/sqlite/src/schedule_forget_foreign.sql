-- Fire times of a schedule of this name (?1) that was another tenant's than this one (?2). Primary key of schedule_fire.
DELETE FROM schedule_fire WHERE schedule = ?1 AND tenant IS NOT ?2

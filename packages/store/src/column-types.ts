import type { ColumnType, JSONColumnType } from 'kysely';

/** Columns that several tables have. */

export type Json<T extends object> = JSONColumnType<T>;
export type Timestamp = ColumnType<Date, Date, Date>;
export type NullableTimestamp = ColumnType<Date | null, Date | null | undefined, Date | null>;

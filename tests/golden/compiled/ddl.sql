CREATE TABLE IF NOT EXISTS "public"."vehicles" (
    "id" integer NOT NULL,
    "vin" varchar(255) NOT NULL,
    "license_plate" varchar(255),
    "make" varchar(255),
    "model" varchar(255),
    "year" integer,
    "fuel_type" varchar(255),
    "status" varchar(255),
    "created_at" timestamp with time zone,
    "updated_at" timestamp with time zone,
    PRIMARY KEY ("id")
);

CREATE TABLE IF NOT EXISTS "public"."drivers" (
    "id" integer NOT NULL,
    "employee_id" varchar(255) NOT NULL,
    "name" varchar(255),
    "license_number" varchar(255),
    "phone" varchar(255),
    "status" varchar(255),
    "safety_score" numeric(5,2),
    "created_at" timestamp with time zone,
    "updated_at" timestamp with time zone,
    PRIMARY KEY ("id")
);

CREATE TABLE IF NOT EXISTS "public"."vehicle_telemetry" (
    "id" integer NOT NULL,
    "vehicle_id" integer,
    "recorded_at" timestamp with time zone,
    "latitude" double precision,
    "longitude" double precision,
    "speed_kmh" double precision,
    "fuel_level_pct" double precision,
    "engine_temp_c" double precision,
    "odometer_km" numeric(10,1),
    "engine_status" varchar(255),
    "harsh_braking" boolean,
    "harsh_acceleration" boolean,
    "created_at" timestamp with time zone,
    PRIMARY KEY ("id")
);

-- Unchanged large values of notes may be missing from an update.
-- To have them always: ALTER TABLE "public"."deliveries" REPLICA IDENTITY FULL;
CREATE TABLE IF NOT EXISTS "public"."deliveries" (
    "id" integer NOT NULL,
    "vehicle_id" integer,
    "driver_id" integer,
    "status" varchar(255),
    "pickup_address" varchar(255),
    "delivery_address" varchar(255),
    "scheduled_time" timestamp with time zone,
    "actual_pickup_time" timestamp with time zone,
    "actual_delivery_time" timestamp with time zone,
    "customer_name" varchar(255),
    "customer_phone" varchar(255),
    "notes" varchar(2000),
    "created_at" timestamp with time zone,
    "updated_at" timestamp with time zone,
    PRIMARY KEY ("id")
);

-- Unchanged large values of message may be missing from an update.
-- To have them always: ALTER TABLE "public"."alerts" REPLICA IDENTITY FULL;
CREATE TABLE IF NOT EXISTS "public"."alerts" (
    "id" integer NOT NULL,
    "vehicle_id" integer,
    "driver_id" integer,
    "alert_type" varchar(255),
    "severity" varchar(255),
    "message" varchar(1000),
    "latitude" double precision,
    "longitude" double precision,
    "acknowledged" boolean,
    "acknowledged_at" timestamp with time zone,
    "created_at" timestamp with time zone,
    PRIMARY KEY ("id")
);

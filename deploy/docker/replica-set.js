// Makes the replica set of MEMBERS and the user of our services; run by mongosh, as often as one likes.
//
// MEMBERS are host:port, separated by commas: the first one begins the set, the others join it, one at a time.
const fs = require("fs");

const SECONDS = 180;
const deadline = Date.now() + SECONDS * 1000;
const members = process.env.MEMBERS.split(",");
const secret = (name) => fs.readFileSync(`/run/twin/${name}`, "utf8").trim();
const root = `mongodb://root:${secret("MONGODB_ROOT_PASSWORD")}@`;
const options = "authSource=admin&serverSelectionTimeoutMS=5000";

/** Try until it returns something true; what it raises is tried again, too. */
function until(what, attempt) {
    let why = "";
    for (;;) {
        try {
            const result = attempt();
            if (result) return result;
        } catch (error) {
            why = `: ${error.message}`;
        }
        if (Date.now() > deadline) {
            print(`replica-set: ${what} was waited for ${SECONDS} s in vain${why}`);
            print("A set of three members needs two of them: docker compose --profile failover up starts all.");
            quit(1);
        }
        sleep(500);
    }
}

function begin(host) {
    const admin = until(`an answer of ${host}`, () => {
        const database = new Mongo(`${root}${host}/?directConnection=true&${options}`).getDB("admin");
        return database.runCommand({ ping: 1 }).ok && database;
    });
    until(`the set of ${host}`, () => {
        try {
            return admin.runCommand({ replSetGetStatus: 1 }).ok;
        } catch (error) {
            if (error.codeName !== "NotYetInitialized") throw error;
            print(`replica-set: beginning with ${host}`);
            return admin.runCommand({ replSetInitiate: { _id: "rs0", members: [{ _id: 0, host }] } }).ok;
        }
    });
}

function join(admin, host) {
    until(`${host} as a member`, () => {
        const config = admin.runCommand({ replSetGetConfig: 1 }).config;
        if (config.members.some((member) => member.host === host)) return true;
        print(`replica-set: adding ${host}`);
        const id = Math.max(...config.members.map((member) => member._id)) + 1;
        config.members.push({ _id: id, host });
        config.version += 1;
        return admin.runCommand({ replSetReconfig: config }).ok;
    });
    until(`${host} to have caught up`, () =>
        ["PRIMARY", "SECONDARY"].includes(
            admin.runCommand({ replSetGetStatus: 1 }).members.find((member) => member.name === host).stateStr,
        ),
    );
}

/** The services' user: it reads, writes and watches the documents, and keeps records beside them. */
function letIn(admin) {
    const role = {
        privileges: [
            { resource: { db: "twin", collection: "documents" }, actions: ["collMod"] }, // the validator
            { resource: { db: "local", collection: "oplog.rs" }, actions: ["find"] }, // how far back it reaches
        ],
        roles: [
            { role: "readWrite", db: "twin" },
            { role: "readWrite", db: "twin_records" },
        ],
    };
    const user = { pwd: secret("MONGODB_PASSWORD"), roles: [{ role: "twin", db: "admin" }] };
    until("the services' user", () => {
        const exists = admin.getUser("twin") !== null;
        admin.runCommand({ [admin.getRole("twin") === null ? "createRole" : "updateRole"]: "twin", ...role });
        return admin.runCommand({ [exists ? "updateUser" : "createUser"]: "twin", ...user }).ok;
    });
}

begin(members[0]);
const admin = until("a primary", () => {
    const database = new Mongo(`${root}${members.join(",")}/?replicaSet=rs0&${options}`).getDB("admin");
    return database.runCommand({ hello: 1 }).isWritablePrimary && database;
});
for (const host of members.slice(1)) join(admin, host);
letIn(admin);
print(`replica-set: ready: ${admin.runCommand({ replSetGetConfig: 1 }).config.members.map((one) => one.host).join(", ")}`);

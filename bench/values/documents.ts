/** Documents of the shapes and sizes of orjson's fixtures, generated from a seed, and others. */

const SEED = 42;

let state = SEED;

function random(): number {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  return state / 0x7fffffff;
}

function below(bound: number): number {
  return Math.floor(random() * bound);
}

function hex(length: number): string {
  return Array.from({ length }, () => below(16).toString(16)).join("");
}

function words(count: number): string {
  const all = [
    "data",
    "fix",
    "größe",
    "the",
    "日本",
    "update",
    "value",
    "of",
    "test",
    "ユーザー",
    "a",
  ];
  return Array.from({ length: count }, () => all[below(all.length)]).join(" ");
}

function many<Value>(count: number, make: (index: number) => Value): Value[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** Events of a repository host: objects of few shapes, many strings of some 40 characters. */
function github(): unknown {
  const url = (path: string) => `https://api.example.com/${path}`;
  return many(30, (index) => ({
    type: index % 3 === 0 ? "WatchEvent" : "PushEvent",
    created_at: `2013-01-10T07:58:${10 + index}Z`,
    actor: {
      gravatar_id: hex(32),
      login: `user${index}`,
      avatar_url: url(`avatar/${hex(32)}?d=${hex(20)}`),
      url: url(`users/user${index}`),
      id: below(3_000_000),
    },
    repo: {
      url: url(`repos/user${index}/project`),
      id: below(8_000_000),
      name: `user${index}/project`,
    },
    public: true,
    payload: {
      commits: many(1 + below(3), () => ({
        url: url(`repos/user${index}/project/commits/${hex(40)}`),
        message: words(12),
        distinct: true,
        sha: hex(40),
        author: { email: `user${index}@example.com`, name: `User ${index}` },
      })),
      push_id: below(200_000_000),
      head: hex(40),
      before: hex(40),
      size: 1,
      ref: "refs/heads/master",
    },
    id: `${1_652_000_000 + index}`,
  }));
}

/** Messages of users: large objects of one shape, much text beyond ASCII. */
function twitter(): unknown {
  return {
    statuses: many(100, (index) => ({
      metadata: { result_type: "recent", iso_language_code: "ja" },
      created_at: "Sun Aug 31 00:29:15 +0000 2014",
      id: 505874924095815681 + index,
      id_str: `505874924095815${681 + index}`,
      text: `@aym0566x ${words(30)}`,
      source: '<a href="http://example.com/download" rel="nofollow">client</a>',
      truncated: false,
      in_reply_to_status_id: null,
      user: {
        id: below(2 ** 31),
        id_str: `${below(2 ** 31)}`,
        name: words(2),
        screen_name: `user${index}`,
        location: words(3),
        description: words(24),
        url: null,
        entities: { description: { urls: [] } },
        protected: false,
        followers_count: below(1_000),
        friends_count: below(1_000),
        listed_count: below(10),
        utc_offset: null,
        verified: false,
        statuses_count: below(10_000),
        profile_background_color: hex(6),
        profile_image_url: `http://pbs.example.com/profile_images/${
          hex(18)
        }/normal.jpeg`,
        profile_use_background_image: true,
        following: false,
      },
      geo: null,
      coordinates: null,
      contributors: null,
      retweet_count: below(100),
      favorite_count: below(100),
      entities: {
        hashtags: [],
        symbols: [],
        urls: [],
        user_mentions: many(below(3), () => ({
          screen_name: `user${below(100)}`,
          name: words(1),
          id: below(2 ** 31),
          indices: [below(10), 10 + below(10)],
        })),
      },
      favorited: false,
      retweeted: false,
      lang: "ja",
    })),
    search_metadata: {
      completed_in: 0.087,
      max_id: 505874924095815681,
      count: 100,
    },
  };
}

/** A catalogue of events: keys that are numbers, many small objects and arrays. */
function citm(): unknown {
  const events = Object.fromEntries(many(184, (index) => [
    `${138_586_341 + index * 4}`,
    {
      description: null,
      id: 138_586_341 + index * 4,
      logo: index % 2 === 0 ? null : `/images/UE0AAAAACEKo6QAAAAZDSVRN${index}`,
      name: words(4),
      subTopicIds: many(1 + below(4), () => 337_184_263 + below(30)),
      subjectCode: null,
      subtitle: null,
      topicIds: many(1 + below(3), () => 324_846_098 + below(30)),
    },
  ]));
  return {
    areaNames: Object.fromEntries(
      many(17, (index) => [`${205_705_993 + index}`, words(2)]),
    ),
    events,
    performances: many(243, (index) => ({
      eventId: 138_586_341 + index * 4,
      id: 339_887_544 + index,
      logo: null,
      name: null,
      prices: many(6, () => ({
        amount: 1_000 * below(200),
        audienceSubCategoryId: 337_100_890,
        seatCategoryId: 338_937_295 + below(10),
      })),
      seatCategories: many(6, () => ({
        areas: many(
          5,
          () => ({ areaId: 205_705_999 + below(10), blockIds: [] }),
        ),
        seatCategoryId: 338_937_295 + below(10),
      })),
      seatMapImage: null,
      start: 1_372_701_600_000 + index,
      venueCode: "PLEYEL_PLEYEL",
    })),
  };
}

/** The outline of a country: arrays of pairs of doubles. */
function canada(): unknown {
  return {
    type: "FeatureCollection",
    features: [{
      type: "Feature",
      properties: { name: "Canada" },
      geometry: {
        type: "Polygon",
        coordinates: many(
          480,
          () => many(116, () => [-141 + random() * 88, 41 + random() * 42]),
        ),
      },
    }],
  };
}

/** The documents by their names, as `JSON.parse` makes them. */
export const DOCUMENTS: Readonly<Record<string, unknown>> = Object.fromEntries(
  Object.entries({
    "small object": { id: 17, name: "Ada", ok: true, score: 1.5, tag: "x" },
    "github": github(),
    "twitter": twitter(),
    "citm_catalog": citm(),
    "canada": canada(),
    "100,000 records": many(100_000, (id) => ({
      id,
      name: `user${id}`,
      email: `user${id}@example.com`,
      age: id % 90,
      score: random() * 100,
      active: id % 3 === 0,
      group: `g${id % 17}`,
      note: null,
    })),
    "1,000,000 doubles": many(1_000_000, () => random() * 1_000),
    "long Latin-1 strings": many(
      1_000,
      (index) => "Größe für Ärger é".repeat(60) + index,
    ),
  }).map(([name, document]) => [name, JSON.parse(JSON.stringify(document))]),
);

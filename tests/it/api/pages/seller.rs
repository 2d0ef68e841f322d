//! The seller's pages: products, pictures, files, orders.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, RgbImage};

use super::{Browser, Shop};

fn picture(shade: u8) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let drawn = DynamicImage::ImageRgb8(RgbImage::from_pixel(30, 30, image::Rgb([shade, 80, 90])));
    drawn.write_to(&mut out, ImageFormat::Png).unwrap();
    out.into_inner()
}

const LAMP: [(&str, &str); 6] = [
    ("title", "Lamp <script>alert(1)</script>"),
    ("description", "Warm & bright"),
    ("price", "1234.50"),
    ("currency", "INR"),
    ("stock", "7"),
    ("category", "Light"),
];

async fn seller(app: &Shop, name: &str) -> Browser {
    app.seller(name).await;
    let browser = Browser::new(app);
    assert_eq!(browser.log_in(name).await.path, "/seller");
    browser
}

#[actix_web::test]
async fn a_seller_creates_changes_and_deletes_a_product_with_pictures() {
    let app = Shop::open().await;
    let browser = seller(&app, "mira").await;
    browser.open("/seller").await.has("Nothing waits to be shipped").has("No sales in the last 30 days");
    let form = browser.open("/seller/products/new").await;
    let action = "/seller/products/new";
    let wrong = [("title", " "), ("price", "1.234"), ("stock", "-1"), ("currency", "EUR")];
    let refused = browser.upload(&form, action, &wrong, &[]).await;
    assert_eq!(refused.status, 400);
    refused
        .has("Say what it is called.")
        .has("Enter a whole number")
        .has("at most two decimals")
        .has("Choose INR or USD.");
    refused.has("value=\"1.234\"");
    let text = vec![("images", "a.png", b"no picture".to_vec())];
    let refused = browser.upload(&form, action, &LAMP, &text).await;
    assert_eq!(refused.status, 400);
    refused.has("Choose JPEG, PNG, WebP or GIF pictures").has("value=\"1234.50\"");
    let six: Vec<_> = (0..6).map(|n| ("images", "a.png", picture(n))).collect();
    browser.upload(&form, action, &LAMP, &six).await.has("A product has at most 5 pictures");

    let two = [("images", "a.png", picture(1)), ("images", "b.png", picture(200))];
    let made = browser.upload(&form, action, &LAMP, &two).await;
    assert_eq!(made.status, 200);
    made.has("is on offer now").has("Lamp &#60;script&#62;").lacks("<script>alert");
    let page = made.path.clone();
    assert_eq!(made.body.matches("/remove\" method").count(), 2);
    let remove = made.body.split("action=\"").find(|part| part.contains("/remove\"")).unwrap();
    let removed = browser.submit(&made, remove.split('"').next().unwrap(), &[]).await;
    removed.has("The picture is removed.");
    assert_eq!(removed.body.matches("/remove\" method").count(), 1);
    let changed =
        [("title", "Floor lamp"), ("price", "99"), ("currency", "USD"), ("stock", "3"), ("category", "Light")];
    let saved = browser.upload(&removed, &page, &changed, &[("images", "c.png", picture(3))]).await;
    saved.has("Floor lamp is saved.").has("value=\"99\"").has("value=\"3\"");
    assert_eq!(saved.body.matches("/remove\" method").count(), 2);
    let list = browser.open("/seller/products?q=floor+light").await;
    list.has("Floor lamp").has("$99.00").has(">3</span>");
    browser.open("/seller/products?q=chair").await.has("None of your products match");
    browser.open("/seller").await.has("Runs low").has("Floor lamp");

    let other = seller(&app, "ravi").await;
    assert_eq!(other.get(&page).await.status, 403);
    assert_eq!(other.get(&format!("{page}/delete")).await.status, 403);
    let own = other.open(action).await;
    let stolen: Vec<_> = LAMP.into_iter().chain([("csrf", "")]).collect();
    assert_eq!(other.submit(&own, action, &stolen).await.status, 403, "a form needs its token");
    let ask = browser.open(&format!("{page}/delete")).await;
    let gone = browser.submit(&ask, &format!("{page}/delete"), &[]).await;
    gone.has("The product is deleted.").has("You offer nothing yet");
    assert_eq!(browser.get(&page).await.status, 404);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_form_writes_only_changed_fields() {
    let app = Shop::open().await;
    let browser = seller(&app, "mira").await;
    let new = browser.open("/seller/products/new").await;
    let made = browser.upload(&new, "/seller/products/new", &LAMP, &[]).await;
    let (page, product) = (made.path.clone(), made.path.rsplit('/').next().unwrap().to_owned());
    let form = browser.open(&page).await;
    // Another tab changes the price, which this form does not have.
    let other = browser.open(&page).await;
    let asha = app.user("asha").await;
    let order = app.order(&asha, &product, 3).await;
    app.pay(&asha, &order).await;
    let api = format!("/api/products/{product}");
    let with = |name: &str, text: &'static str| -> Vec<(&'static str, &'static str)> {
        LAMP.into_iter().map(|(field, old)| if field == name { (field, text) } else { (field, old) }).collect()
    };
    browser.upload(&other, &page, &with("price", "99"), &[]).await.has("is saved");
    browser.upload(&form, &page, &with("description", "Warmer"), &[]).await.has("is saved");
    let now = app.get(&api).send().await.expect(200);
    assert_eq!((&now["description"], &now["stock"]), (&"Warmer".into(), &4.into()));
    assert_eq!(now["price"]["amount"], 99);

    // A typed stock counts only while the stock is what the page showed.
    let mut typed = with("stock", "12");
    typed.retain(|(name, _)| *name != "title");
    typed.push(("title", "Floor lamp"));
    let moved = browser.upload(&form, &page, &typed, &[("images", "a.png", picture(9))]).await;
    assert_eq!(moved.status, 409);
    moved.has("Stock is 4 now; it was 7 when").has("value=\"12\"").has("value=\"Floor lamp\"");
    let unchanged = app.get(&api).send().await.expect(200);
    assert_eq!((&unchanged["stock"], &unchanged["images"]), (&4.into(), &serde_json::json!([])));
    assert!(unchanged["title"].as_str().unwrap().starts_with("Lamp"));
    browser.upload(&moved, &page, &typed, &[]).await.has("Floor lamp is saved");
    assert_eq!(app.get(&api).send().await.expect(200)["stock"], 12);
    app.shutdown().await;
}

#[actix_web::test]
async fn a_form_without_rendered_values_overwrites_nothing() {
    let app = Shop::open().await;
    let browser = seller(&app, "mira").await;
    let new = browser.open("/seller/products/new").await;
    let made = browser.upload(&new, "/seller/products/new", &LAMP, &[]).await;
    let (page, product) = (made.path.clone(), made.path.rsplit('/').next().unwrap().to_owned());
    let csrf = browser.open(&page).await.field(&page, "csrf");
    let asha = app.user("asha").await;
    let order = app.order(&asha, &product, 3).await;
    app.pay(&asha, &order).await;
    let api = format!("/api/products/{product}");

    let token = ("csrf", csrf.as_str());
    for seen in [&[][..], &[("stockSeen", "")], &[("stockSeen", "x")]] {
        let fields = [&[token, ("titleSeen", "x"), ("title", "Floor lamp"), ("stock", "7")], seen].concat();
        let refused = browser.post(&page, &fields).await;
        assert_eq!(refused.status, 409, "{seen:?}");
        refused
            .has("Stock is 4 now; “7” came without")
            .has("value=\"Floor lamp\"")
            .has("name=\"stock\" type=\"text\" value=\"4\"");
        assert_eq!(refused.field(&page, "stockSeen"), "4");
    }
    let refused = browser.post(&page, &[token, ("description", "Older")]).await;
    assert_eq!(refused.status, 409);
    refused.has("id=\"e-description\"").has(">Older</textarea>");
    let now = app.get(&api).send().await.expect(200);
    assert_eq!((&now["stock"], &now["description"]), (&4.into(), &"Warm & bright".into()));
    assert!(now["title"].as_str().unwrap().starts_with("Lamp"));
    // A field with the current value needs no hidden field, and the page that came back has it.
    browser.post(&page, &[token, ("stock", "4")]).await.has("is saved");
    browser.submit(&refused, &page, &[("description", "Older")]).await.has("is saved");
    browser.submit(&refused, &page, &[("stock", "9")]).await.has("is saved");
    let now = app.get(&api).send().await.expect(200);
    assert_eq!((&now["stock"], &now["description"]), (&9.into(), &"Older".into()));
    app.shutdown().await;
}

#[actix_web::test]
async fn a_too_large_picture_keeps_the_typed_fields() {
    let app = Shop::open().await;
    let browser = seller(&app, "mira").await;
    let action = "/seller/products/new";
    let large = || [("images", "huge.png", vec![7; 5 * 1024 * 1024 + 1]), ("images", "ok.png", picture(1))];
    let form = browser.open(action).await;
    let refused = browser.upload(&form, action, &LAMP, &large()).await;
    assert_eq!(refused.status, 413);
    refused
        .has("“huge.png” is larger than 5 MiB")
        .has("id=\"e-images\"")
        .has("value=\"1234.50\"")
        .has("Warm &#38; bright");
    browser.open("/seller/products").await.has("You offer nothing yet");
    let made = browser.upload(&refused, action, &LAMP, &[]).await;
    let page = made.path.clone();
    let typed: Vec<_> =
        LAMP.into_iter().map(|(name, text)| if name == "title" { (name, "Torch") } else { (name, text) }).collect();
    let refused = browser.upload(&made, &page, &typed, &large()).await;
    assert_eq!(refused.status, 413);
    refused.has("“huge.png” is larger than 5 MiB").has("value=\"Torch\"");
    let nine: Vec<_> = (0..9).map(|n| ("images", "a.png", picture(n))).collect();
    browser.upload(&made, &page, &typed, &nine).await.has("value=\"Torch\"").has("id=\"e-images\"");
    let import = browser.open("/seller/products/import").await;
    let file = [("file", "all.csv", vec![b'x'; 6 * 1024 * 1024])];
    let refused = browser.upload(&import, "/seller/products/import", &[], &file).await;
    assert_eq!(refused.status, 413);
    refused.has("“all.csv” is larger than 5 MiB");
    app.shutdown().await;
}

#[actix_web::test]
async fn a_price_is_accepted_as_the_shop_prints_it() {
    let app = Shop::open().await;
    let browser = seller(&app, "mira").await;
    let form = browser.open("/seller/products/new").await;
    let with = |price: &'static str| -> Vec<(&'static str, &'static str)> {
        LAMP.into_iter().map(|(name, text)| if name == "price" { (name, price) } else { (name, text) }).collect()
    };
    for (price, shown) in [("1,299", "1299"), ("₹1,299.00", "1299"), ("1,29,999", "129999"), ("99.5", "99.50")] {
        let made = browser.upload(&form, "/seller/products/new", &with(price), &[]).await;
        made.has("is on offer now").has(&format!("name=\"price\" type=\"text\" value=\"{shown}\""));
    }
    for price in ["1,29", "1.299", "1.299,00", "$1,299"] {
        let refused = browser.upload(&form, "/seller/products/new", &with(price), &[]).await;
        assert_eq!(refused.status, 400, "{price}");
        refused.has("id=\"e-price\"").has(&format!("value=\"{price}\""));
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn the_limit_of_a_product_is_enforced_on_pages() {
    let app = Shop::open().await;
    let seller = seller(&app, "mira").await;
    let form = seller.open("/seller/products/new").await;
    let fields: Vec<_> = LAMP.into_iter().chain([("maxPerOrder", "2")]).collect();
    let made = seller.upload(&form, "/seller/products/new", &fields, &[]).await;
    made.has("name=\"maxPerOrder\" type=\"text\" inputmode=\"numeric\" value=\"2\"");
    let product = made.path.rsplit('/').next().unwrap().to_owned();
    let guest = Browser::new(&app);
    guest.open(&format!("/products/{product}")).await.has("At most 2 in one order").has("max=\"2\"");
    guest.put(&product, "3").await.has("At most 2 of this product can be in one order");
    let cart = guest.put(&product, "2").await;
    guest.put(&product, "1").await.has("At most 2 of this product can be in one order");
    // A value that the page had is not written.
    let line = format!("/cart/items/{product}");
    guest.submit(&cart, &line, &[("quantity", "1"), ("set", "1")]).await;
    let same = guest.submit(&cart, &line, &[("quantity", "2"), ("set", "1")]).await;
    assert_eq!(same.badge(), 1);
    app.shutdown().await;
}

#[actix_web::test]
async fn only_sellers_see_the_sellers_pages() {
    let app = Shop::open().await;
    let guest = Browser::new(&app);
    for path in ["/seller", "/seller/orders", "/seller/products", "/seller/products.csv", "/seller/products/new"] {
        assert!(guest.open(path).await.path.starts_with("/login?next="), "{path}");
    }
    guest.sign_up("asha").await;
    for path in
        ["/seller", "/seller/orders", "/seller/products.csv", "/seller/products/import", "/admin", "/admin/users"]
    {
        let refused = guest.get(path).await;
        assert_eq!(refused.status, 403, "{path}");
        refused.has("That is not open to you");
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn an_order_is_shipped_and_delivered_by_its_seller() {
    let app = Shop::open().await;
    let browser = seller(&app, "mira").await;
    let list = browser.open("/seller/products").await;
    list.has("You offer nothing yet");
    let form = browser.open("/seller/products/new").await;
    let product = browser.upload(&form, "/seller/products/new", &LAMP, &[]).await.path;
    let product = product.rsplit('/').next().unwrap().to_owned();
    let asha = app.user("asha").await;
    let order = app.order(&asha, &product, 2).await;
    app.settle().await;
    browser.open("/seller").await.has("Nothing waits to be shipped");
    app.pay(&asha, &order).await;
    app.settle().await;
    let dashboard = browser.open("/seller").await;
    dashboard.has("₹2,469.00").has("<svg class=\"chart\"").has("The same as a table").has("Mark shipped").has("Pune");
    let ship = format!("/seller/orders/{}/ship", order["_id"].as_str().unwrap());
    let other = seller(&app, "ravi").await;
    let csrf = other.open("/seller/products/new").await.field("/seller/products/new", "csrf");
    assert_eq!(other.post(&ship, &[("csrf", &csrf)]).await.status, 403, "not their order");
    let long = "x".repeat(101);
    browser.submit(&dashboard, &ship, &[("tracking", &long)]).await.has("at most 100 characters");
    let shipped = browser.submit(&dashboard, &ship, &[("tracking", "IN 42 <b>"), ("back", "dashboard")]).await;
    shipped.has("is marked as shipped").has("Nothing waits to be shipped");
    browser.submit(&dashboard, &ship, &[]).await.has("That did not work");
    let now = app.order_now(&asha, &order).await;
    assert_eq!(now["status"], "SHIPPED");
    app.settle().await;
    let orders = browser.open("/seller/orders").await;
    orders.has("Tracking IN 42 &#60;b&#62;").has("data-status=\"SHIPPED\"");
    let deliver = ship.replace("/ship", "/deliver");
    browser.submit(&orders, &deliver, &[]).await.has("is marked as delivered");
    assert_eq!(app.order_now(&asha, &order).await["status"], "DELIVERED");
    app.shutdown().await;
}

#[actix_web::test]
async fn products_are_exported_and_imported_row_by_row() {
    let app = Shop::open().await;
    let browser = seller(&app, "mira").await;
    let path = "/seller/products/import";
    let send = async |bytes: Vec<u8>| {
        let form = browser.open(path).await;
        browser.upload(&form, path, &[], &[("file", "products.csv", bytes)]).await
    };
    let ravi = app.seller("ravi").await;
    let foreign = app.product(&ravi, "His", 5.0, 1).await;
    let file = format!(
        "title,description,price,stock,category,id\n=1+1,\"two\nlines\",10,5,Maths,\nChair,,x,1,,\nHis,,1,1,,{foreign}\n\
         -Bare,,20.50,,'=q,\n"
    );
    let done = send(file.into_bytes()).await;
    done.has("<b>2</b> new, <b>0</b> changed, <b>0</b> as before, <b>2</b> left out");
    done.has("price: enter a price above zero").has("id: there is no product of yours with this id");
    done.has("data-label=\"Line\">4</td>").has("data-label=\"Line\">5</td>");

    let exported = browser.open("/seller/products.csv").await;
    assert!(exported.header("content-disposition").contains("products.csv"));
    exported.has("'=1+1,\"two\nlines\",10,INR,5,Maths").has("'-Bare,,20.50,INR,0,'=q");
    send(exported.body.clone().into_bytes()).await.has("<b>0</b> new, <b>0</b> changed, <b>2</b> as before.");
    let changed = exported.body.replace("20.50", "21").replace("'-Bare", "Bare");
    send(changed.into_bytes()).await.has("<b>0</b> new, <b>1</b> changed, <b>1</b> as before.");
    let again = browser.open("/seller/products.csv").await;
    again.has(",Bare,,21,INR,0,").has("'=1+1");
    assert_eq!(app.get(&format!("/api/products/{foreign}")).send().await.expect(200)["title"], "His");

    for (bytes, output) in [
        (b"name,cost\nx,1\n".to_vec(), "The file has no column title"),
        (b"title,price\n".to_vec(), "The file has no rows"),
        (b"title,price,stock,category\nGood,1,1,Home\nLamp,1,299,5,Home\n".to_vec(), "line 3 has 5 cells"),
        (b"title,price,stock\nGood,1,1\nLamp,1\n".to_vec(), "line 3 has 2 cells"),
        (b"title,price\nGood,1\n\"Lamp,1\nChair,2\n".to_vec(), "line 3: a quote is opened and never closed"),
        (b"PK\x03\x04".to_vec(), "workbook"),
        (b"title,price\n\xff\xfe,1\n".to_vec(), "line 2 cannot be read"),
        (picture(1), "The file"),
    ] {
        let refused = send(bytes).await;
        assert_eq!(refused.status, 400);
        assert!(refused.body.to_lowercase().contains(&output.to_lowercase()), "{output}: {}", refused.body);
    }
    let form = browser.open(path).await;
    browser.upload(&form, path, &[], &[]).await.has("Choose a CSV file.");
    app.shutdown().await;
}

/// A shop with a logged-in seller.
async fn importer(app: &Shop) -> Browser {
    seller(app, "mira").await
}

async fn import(browser: &Browser, file: impl Into<Vec<u8>>) -> super::Doc {
    let path = "/seller/products/import";
    let form = browser.open(path).await;
    browser.upload(&form, path, &[], &[("file", "products.csv", file.into())]).await
}

/// The seller's products by title.
async fn offered(app: &Shop) -> Vec<serde_json::Value> {
    let login = serde_json::json!({"email": "mira@example.com", "password": test_support::PASSWORD});
    let token = app.post("/api/auth/login").json(&login).send().await.expect(200)["token"].clone();
    let list = app.get("/api/products/seller?limit=100").token(token.as_str().unwrap()).send().await.expect(200);
    list.as_array().unwrap().clone()
}

#[actix_web::test]
async fn a_file_changes_only_its_columns() {
    let app = Shop::open().await;
    let browser = importer(&app).await;
    let file = "title,description,price,currency,stock,category,maxPerOrder\nLamp,Warm,\"1,29,999\",USD,10,Light,3\n";
    import(&browser, file).await.has("<b>1</b> new");
    let made = offered(&app).await;
    let product = made[0]["_id"].as_str().unwrap().to_owned();
    assert_eq!((&made[0]["price"]["amount"], &made[0]["maxPerOrder"]), (&129_999.into(), &3.into()));
    let api = format!("/api/products/{product}");
    let now = async || app.get(&api).send().await.expect(200);
    import(&browser, format!("id,title,price\n{product},Torch,5\n")).await.has("<b>1</b> changed");
    let changed = now().await;
    assert_eq!((&changed["title"], &changed["description"]), (&"Torch".into(), &"Warm".into()));
    assert_eq!(changed["price"], serde_json::json!({"amount": 5, "currency": "USD"}));
    assert_eq!((&changed["stock"], &changed["category"]), (&10.into(), &"Light".into()));
    assert_eq!(changed["maxPerOrder"], 3);
    // Only an id and the change.
    import(&browser, format!("stock;id\n4;{product}\n")).await.has("<b>1</b> changed");
    assert_eq!(now().await["stock"], 4);
    import(&browser, format!("id,price\n{product},\"1,29\"\n")).await.has("can be read in more than one way");
    import(&browser, "id,stock\n,4\n").await.has("title: say what it is called").has("price: enter a price");
    assert_eq!(now().await["price"]["amount"], 5);
    app.shutdown().await;
}

#[actix_web::test]
async fn importing_an_export_restores_no_sold_stock() {
    let app = Shop::open().await;
    let browser = importer(&app).await;
    import(&browser, "title,price,stock\nLamp,10,10\nChair,20,10\n").await.has("<b>2</b> new");
    let exported = browser.get("/seller/products.csv").await.body;
    let exported = exported.trim_start_matches('\u{feff}').to_owned();
    let products = offered(&app).await;
    let asha = app.user("asha").await;
    for product in &products {
        let order = app.order(&asha, product["_id"].as_str().unwrap(), 3).await;
        app.pay(&asha, &order).await;
    }
    import(&browser, exported.clone()).await.has("<b>0</b> new, <b>0</b> changed, <b>2</b> as before");
    import(&browser, exported.replace("Lamp,", "Floor lamp,")).await.has("<b>1</b> changed, <b>1</b> as before");
    // A stock that was changed in the file counts only if the shop's stock still is the exported one.
    let output = import(&browser, exported.replace("Chair,,20,INR,10", "Chair,,20,INR,15")).await;
    output.has("stock: is 7 now and was 10");
    for product in &products {
        let path = format!("/api/products/{}", product["_id"].as_str().unwrap());
        assert_eq!(app.get(&path).send().await.expect(200)["stock"], 7);
    }
    let fresh = browser.get("/seller/products.csv").await.body;
    import(&browser, fresh.replace("Chair,,20,INR,7", "Chair,,20,INR,15")).await.has("<b>1</b> changed");
    assert!(offered(&app).await.iter().any(|product| product["stock"] == 15));
    app.shutdown().await;
}

#[actix_web::test]
async fn the_same_file_sets_a_stock_once() {
    let app = Shop::open().await;
    let browser = importer(&app).await;
    import(&browser, "title,price,stock\nLamp,10,10\nChair,20,10\n").await.has("<b>2</b> new");
    let products = offered(&app).await;
    let id = |title: &str| {
        let found = products.iter().find(|product| product["title"] == title).unwrap();
        found["_id"].as_str().unwrap().to_owned()
    };
    let (lamp, chair) = (id("Lamp"), id("Chair"));
    let login = serde_json::json!({"email": "mira@example.com", "password": test_support::PASSWORD});
    let token = app.post("/api/auth/login").json(&login).send().await.expect(200)["token"].clone();
    let set = async |product: &str, stock: u32| {
        let patch = app.patch(&format!("/api/products/{product}")).token(token.as_str().unwrap());
        patch.json(&serde_json::json!({"stock": stock})).send().await.expect(200);
    };
    let now =
        async |product: &str| app.get(&format!("/api/products/{product}")).send().await.expect(200)["stock"].clone();

    set(&chair, 3).await;
    let file = format!("id,stock,stockSeen\n{lamp},12,10\n{chair},15,10\n");
    import(&browser, file.clone()).await.has("<b>1</b> changed").has("stock: is 3 now and was 10");
    assert_eq!((now(&lamp).await, now(&chair).await), (12.into(), 3.into()));
    // Both have the file's number again. The row that was applied is not applied again; the other one is.
    set(&lamp, 10).await;
    set(&chair, 10).await;
    import(&browser, file.clone()).await.has("<b>1</b> changed, <b>1</b> as before");
    assert_eq!((now(&lamp).await, now(&chair).await), (10.into(), 15.into()));
    set(&chair, 10).await;
    import(&browser, file).await.has("<b>0</b> changed, <b>2</b> as before");
    // The same for a row without `stockSeen`.
    let file = format!("id,stock\n{lamp},8\n");
    import(&browser, file.clone()).await.has("<b>1</b> changed");
    set(&lamp, 9).await;
    import(&browser, file).await.has("<b>1</b> as before");
    assert_eq!((now(&lamp).await, now(&chair).await), (9.into(), 10.into()));
    app.shutdown().await;
}

#[actix_web::test]
async fn importing_an_export_overwrites_no_other_changes() {
    let app = Shop::open().await;
    let browser = importer(&app).await;
    import(&browser, "title,description,price,category\nLamp,Warm,10,Light\nChair,Oak,20,Home\n")
        .await
        .has("<b>2</b> new");
    let exported = browser.get("/seller/products.csv").await.body;
    let products = offered(&app).await;
    let lamp = products.iter().find(|product| product["title"] == "Lamp").unwrap()["_id"].as_str().unwrap().to_owned();
    let login = serde_json::json!({"email": "mira@example.com", "password": test_support::PASSWORD});
    let token = app.post("/api/auth/login").json(&login).send().await.expect(200)["token"].clone();
    let path = format!("/api/products/{lamp}");
    let elsewhere =
        serde_json::json!({"title": "Torch", "description": "Cold", "price": {"amount": 11.5, "currency": "INR"}});
    app.patch(&path).token(token.as_str().unwrap()).json(&elsewhere).send().await.expect(200);
    import(&browser, exported.clone()).await.has("<b>0</b> changed, <b>2</b> as before");
    // The field that is changed in the file is written, and nothing else of its row.
    let file = exported.replace(",Light,", ",Lights,");
    import(&browser, file.clone()).await.has("<b>1</b> changed, <b>1</b> as before");
    let now = app.get(&path).send().await.expect(200);
    assert_eq!((&now["title"], &now["description"]), (&"Torch".into(), &"Cold".into()));
    assert_eq!((&now["price"]["amount"], &now["category"]), (&11.5.into(), &"Lights".into()));
    // And only once, however often the file is sent; also when the file has no `seen`.
    let bare = format!("id,title,price\n{lamp},Lantern,12\n");
    import(&browser, bare.clone()).await.has("<b>1</b> changed");
    let elsewhere = serde_json::json!({"title": "Torch", "category": "Light"});
    app.patch(&path).token(token.as_str().unwrap()).json(&elsewhere).send().await.expect(200);
    for file in [file, bare] {
        import(&browser, file).await.has("<b>0</b> changed");
    }
    let now = app.get(&path).send().await.expect(200);
    assert_eq!((&now["title"], &now["category"]), (&"Torch".into(), &"Light".into()));
    app.shutdown().await;
}

#[actix_web::test]
async fn the_same_file_creates_its_products_once_and_sends_one_mail() {
    let app = Shop::open().await;
    let browser = importer(&app).await;
    let file: String = (0..30).map(|n| format!("Lamp {n},{},2\n", n + 1)).collect();
    let file = format!("title,price,stock\n{file}");
    let both = futures_util::join!(import(&browser, file.clone()), import(&browser, file.clone()));
    for sent in [both.0, both.1] {
        assert_eq!(sent.status, 200);
    }
    assert_eq!(offered(&app).await.len(), 30);
    let first = offered(&app).await[0]["title"].clone();
    assert_eq!(first, "Lamp 29", "in the order of their rows");
    import(&browser, file.clone()).await.has("<b>0</b> new, <b>0</b> changed, <b>30</b> as before");
    assert_eq!(offered(&app).await.len(), 30);
    browser.open("/seller/products/import").await.has("Your last imports").has("products.csv");
    app.settle().await;
    let mails = app.get("/dev/mailbox").header("accept", "application/json").send().await.expect(200);
    let subjects: Vec<String> = mails
        .as_array()
        .unwrap()
        .iter()
        .filter(|mail| mail["to"] == "mira@example.com")
        .map(|mail| mail["subject"].as_str().unwrap().to_owned())
        .collect();
    assert!(!subjects.iter().any(|subject| subject.starts_with("New product")), "{subjects:?}");
    let finished = subjects.iter().filter(|subject| subject.starts_with("Import finished")).count();
    // The two that were sent at once may be one import, or two in sequence.
    assert!((2..=3).contains(&finished), "{subjects:?}");
    assert_eq!(subjects.iter().filter(|subject| subject.starts_with("Import finished: 30 new")).count(), 1);
    app.shutdown().await;
}
